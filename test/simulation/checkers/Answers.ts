/**
 * 11 and 13. Every answer that leaves a replica is true, whether or not anybody receives it: a write's result is the
 * model's, and only after its commit; a session is called unknown only if it is; and a read shows the data as it was
 * at some op, not older than anything that was committed before it was asked.
 *
 * @module
 */
import type { OpNumber } from "../../../src/vr/Message.ts"
import type { Reply } from "../../../src/vr/Replica.ts"
import type { Process } from "../Process.ts"
import { atLeast, atMost, holds, same } from "./Check.ts"
import type { Checker, World } from "./Checker.ts"

interface Question {
  /** What was committed when it was asked first. */
  readonly floor: OpNumber
  /** Of a write; else 0. */
  readonly session: number
  /** Of a registration: the nonce. */
  readonly operation: Uint8Array
}

/** The same request may be asked again over another replica: what counts is when it was asked first. */
const keyOf = ({ kind, request, to }: Pick<Reply, "kind" | "request" | "to">): string =>
  `${kind} ${to.connection}/${kind === "read" ? "" : to.channel}/${request}`

const isResult = (reply: Reply, expected: Uint8Array): boolean => Buffer.compare(reply.result!, expected) === 0

const checkWrite = ({ history }: World, { data, id }: Process, question: Question, reply: Reply): void => {
  const { floor, operation, session } = question
  const refusal = data.refuseWrite(operation)
  if (refusal !== undefined) return holds(isResult(reply, refusal), id, "a refusal is the data's", reply.request)
  const result = history.resultOf(session, reply.request)
  if (result === undefined) return holds(false, id, "a write is answered after its commit", reply.request)
  holds(isResult(reply, result), id, "a write's result is the model's", reply.request)
  atLeast(history.opOf(session, reply.request)!, floor + 1, id, "a write takes effect after it was asked for")
}

const checkRead = ({ history }: World, { commit, data, id }: Process, question: Question, reply: Reply): void => {
  const { floor, operation } = question
  atLeast(commit, floor, id, "a read is not older than what was committed before it was asked")
  atMost(commit, history.op, id, "a read shows nothing uncommitted")
  same(data.digest, history.digests[commit], id, "a read shows the data as it was at one op")
  // The model has gone on if others have; that the data is the model's at its op is for CommittedPrefix to see.
  const shown = commit === history.op ? history.model : data
  holds(isResult(reply, shown.query(operation)), id, "a read's result is the model's", commit)
}

export const answers = (): Checker => {
  const asked = new Map<string, Question>()
  return {
    onAsked: ({ history }, request) => {
      const key = keyOf({ ...request, request: request.kind === "register" ? 0 : request.request })
      const session = request.kind === "write" ? request.session : 0
      const operation = request.kind === "register" ? request.nonce : request.operation
      asked.set(key, { floor: history.op, session, operation })
    },
    onReplies: (world, process, { replies }) => {
      for (const reply of replies) {
        const question = asked.get(keyOf(reply))
        if (question === undefined) {
          holds(false, process.id, "what is answered was asked", reply.request)
        } else if (reply.status === "no session") {
          const { session } = question
          holds(!world.history.isLive(session), process.id, "a session that is called unknown is gone", session)
        } else if (reply.status === "ok") {
          if (reply.kind === "register") {
            holds(
              world.history.wasRegistered(reply.session, question.operation),
              process.id,
              "a session is the one that the log gave its client",
              reply.session
            )
          } else if (reply.kind === "read") {
            checkRead(world, process, question, reply)
          } else {
            checkWrite(world, process, question, reply)
          }
        }
      }
    }
  }
}
