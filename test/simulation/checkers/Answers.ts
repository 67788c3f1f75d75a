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

/** The same request may be asked again over another replica: what counts is when it was asked first. */
const keyOf = ({ kind, request, to }: Pick<Reply, "kind" | "request" | "to">): string =>
  `${kind} ${to.connection}/${kind === "read" ? "" : to.channel}/${request}`

const checkWrite = ({ history }: World, { id }: Process, session: number, reply: Reply, floor: OpNumber): void => {
  const result = history.resultOf(session, reply.request)
  if (result === undefined) return holds(false, id, "a write is answered after its commit", reply.request)
  holds(Buffer.compare(reply.result!, result) === 0, id, "a write's result is the model's", reply.request)
  atLeast(history.opOf(session, reply.request)!, floor + 1, id, "a write takes effect after it was asked for")
}

const checkRead = ({ history }: World, { commit, data, id }: Process, operation: Uint8Array, reply: Reply, floor: OpNumber): void => {
  atLeast(commit, floor, id, "a read is not older than what was committed before it was asked")
  atMost(commit, history.op, id, "a read shows nothing uncommitted")
  same(data.digest, history.digests[commit], id, "a read shows the data as it was at one op")
  if (commit !== history.op) return
  holds(Buffer.compare(reply.result!, history.model.query(operation)) === 0, id, "a read's result is the model's", commit)
}

export const answers = (): Checker => {
  /** What was committed when it was asked first. */
  const asked = new Map<string, { readonly floor: OpNumber; readonly session: number; readonly operation: Uint8Array }>()
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
          holds(!world.history.isLive(question.session), process.id, "a session that is called unknown is gone", question.session)
        } else if (reply.status === "ok") {
          if (reply.kind === "register") {
            holds(world.history.wasRegistered(reply.session), process.id, "a session comes from the log", reply.session)
          } else if (reply.kind === "read") {
            checkRead(world, process, question.operation, reply, question.floor)
          } else if (process.data.refuseWrite(question.operation) === undefined) {
            checkWrite(world, process, question.session, reply, question.floor)
          }
        }
      }
    }
  }
}
