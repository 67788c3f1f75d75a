/**
 * The messages that may still arrive at one replica: a set, as whatever was sent can be lost, delayed, reordered and
 * duplicated without bounds. A delivery therefore takes nothing out; what goes are messages that can never have an
 * effect any more, so that it makes no difference whether they were sent.
 *
 * Sets are immutable and numbered: equal sets are one object.
 *
 * @module
 */
import { hasNoUse, isUnheeded, type Outlook } from "./Dead.ts"
import type { Local, Mail } from "./Model.ts"

export interface Inbox {
  /** Counts inboxes from 0. */
  readonly number: number
  /** In the order of their numbers. */
  readonly mails: ReadonlyArray<Mail>
  readonly withMail: Map<number, Inbox>
  readonly settled: Map<number, Inbox>
}

export class Inboxes {
  readonly all: Array<Inbox> = []
  readonly empty: Inbox
  private readonly byKey = new Map<string, Inbox>()

  constructor() {
    this.empty = this.intern([])
  }

  private intern(mails: ReadonlyArray<Mail>): Inbox {
    const key = mails.map(({ number }) => number).join()
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    const inbox: Inbox = { number: this.all.length, mails, withMail: new Map(), settled: new Map() }
    this.all.push(inbox)
    this.byKey.set(key, inbox)
    return inbox
  }

  add(inbox: Inbox, mail: Mail): Inbox {
    const known = inbox.withMail.get(mail.number)
    if (known !== undefined) return known
    const made = inbox.mails.includes(mail)
      ? inbox
      : this.intern([...inbox.mails, mail].sort((a, b) => a.number - b.number))
    inbox.withMail.set(mail.number, made)
    return made
  }

  /** Without what is dead for `receiver`, now that `peer` (itself, or another one) is as it is. */
  settle(inbox: Inbox, receiver: Local, peer: Local, outlook: Outlook): Inbox {
    const isSelf = receiver === peer
    const key = peer.number * 8 + (isSelf ? 4 : 0) + (outlook.mayCrash ? 2 : 0) + (outlook.mayTick ? 1 : 0)
    const known = inbox.settled.get(key)
    if (known !== undefined) return known
    const live = inbox.mails.filter((mail) =>
      isSelf ? !isUnheeded(mail, receiver, outlook) : mail.from !== peer.index || !hasNoUse(mail, peer, outlook)
    )
    const made = live.length === inbox.mails.length ? inbox : this.intern(live)
    inbox.settled.set(key, made)
    return made
  }
}
