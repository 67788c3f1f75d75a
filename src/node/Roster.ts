/**
 * The nodes as operators are told of them: those of the cluster by name, then those that are out and whose names nobody
 * has.
 *
 * @module
 */
import * as Members from "../members/Members.ts"
import type { Life, Member, NodeStatus } from "../wire/AdminProtocol.ts"
import type { Gossip } from "./Gossip.ts"
import type { Links } from "./Links.ts"

interface Known {
  readonly name: string
  readonly life: Life
  /** Null: it is out, and where it was is not known. */
  readonly member: Members.Member | null
}

const known = (members: Members.Members): ReadonlyArray<Known> => [
  ...Members.list(members).map((member): Known => {
    const record = members.get(member.id)
    return { name: member.name, life: record !== undefined && Members.isDraining(record) ? "draining" : "joined", member }
  }),
  ...Members.departed(members).map(({ gone, member }): Known => ({ name: gone.name, life: gone.why, member }))
]

export const describeMembers = (gossip: Gossip["Service"]): ReadonlyArray<Member> =>
  known(gossip.state().members).map(({ life, member, name }) => ({
    name,
    self: name === gossip.self.name,
    life,
    cluster: member?.cluster ?? "",
    admin: member?.admin ?? "",
    client: member?.client ?? "",
    peer: member?.peer ?? ""
  }))

/** `started_ms`: when this node started, in ms since 1970. */
export const describeNodes = (
  { gossip, links, started_ms }: { readonly gossip: Gossip["Service"]; readonly links: Links; readonly started_ms: number }
): ReadonlyArray<NodeStatus> =>
  known(gossip.state().members).map(({ life, member, name }): NodeStatus => {
    const node = { name, life, address: member?.cluster ?? "" }
    if (name === gossip.self.name) return { ...node, state: "self", since_ms: started_ms, reason: null }
    // Since when it is out is not kept.
    if (life === "left" || life === "dead") return { ...node, state: "gone", since_ms: 0, reason: null }
    const { connected, reason, since_ms } = links.status(name)
    return { ...node, state: connected ? "connected" : "disconnected", since_ms, reason }
  })
