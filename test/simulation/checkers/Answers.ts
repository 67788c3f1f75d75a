/**
 * 11 and 13. Every answer that leaves a replica is true: a write's result is the model's, and only after its commit; a
 * session is called unknown only if it is; and a read shows exactly the data at some op, neither older than what was
 * answered before it was asked, nor newer than what is committed.
 *
 * @module
 */
import type { Pending } from "../Client.ts"
import type { History } from "../History.ts"
import { atLeast, atMost, holds, same } from "./Check.ts"
import { appendResult, readResult } from "../Register.ts"

/** Called when a client has received the first answer to what it asked. */
export const checkAnswer = (who: string, history: History, asked: Pending): void => {
  const { request } = asked
  const reply = asked.reply!
  if (request.kind === "write" && reply.status === "no session") {
    return holds(!history.isLive(request.session), who, "a session that is called unknown is gone", request.session)
  }
  same(reply.status, "ok", who, "no other answer is final")
  if (request.kind === "register") {
    return holds(history.wasRegistered(reply.session), who, "a session comes from the log", reply.session)
  }
  if (request.kind === "read") {
    const { digest, version } = readResult(reply.result!)
    atLeast(version, asked.floor, who, "a read is not older than what was answered before it was asked")
    atMost(version, history.op, who, "a read shows nothing uncommitted")
    return same(digest, history.digests[version], who, "a read shows the data as it was at one op")
  }
  if (asked.isMalformed) return
  const result = history.resultOf(request.session, request.request)
  if (result === undefined) return holds(false, who, "a write is answered after its commit", request.request)
  holds(Buffer.compare(reply.result!, result) === 0, who, "a write's result is the model's", request.request)
  atLeast(appendResult(result).op, asked.floor + 1, who, "a write takes effect after it was asked for")
}
