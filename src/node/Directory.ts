/**
 * What the dispatcher looks up while it routes: computed when the cluster changes or a replica starts, not for each
 * message.
 *
 * @module
 */
import { parseReplicaId } from "../base/Names.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import type { ReplicaId } from "../vr/Message.ts"
import { encodeListing } from "../wire/Listing.ts"

export class Directory {
  private tenants: Tenants.Tenants = Tenants.noTenants
  private clients: ReadonlyMap<string, string> = new Map()
  /** Where the replicas of the groups are that this node has, or had, a replica of. */
  private readonly nodes = new Map<ReplicaId, string>()
  private encoded: Uint8Array | null = null

  /** The members or the tenants have changed. */
  update(members: Members.Members, tenants: Tenants.Tenants): void {
    this.clients = new Map(Members.list(members).map(({ client, name }) => [name, client]))
    this.tenants = tenants
    this.encoded = null
  }

  /** A replica of this group starts here: there will be messages to these, and redirects. */
  learn(group: ReadonlyArray<ReplicaId>): void {
    for (const id of group) {
      const replica = parseReplicaId(id)
      if (replica.ok) this.nodes.set(id, replica.value.node)
    }
  }

  /** The node of a replica of a group that was learnt. */
  nodeOf(replica: ReplicaId): string | undefined {
    return this.nodes.get(replica)
  }

  /** A tenant that was not withdrawn. */
  tenant(nameOrId: string): Tenants.Tenant | undefined {
    return Tenants.find(this.tenants, nameOrId)
  }

  /** The client address of a node. */
  clientOf(node: string): string | undefined {
    return this.clients.get(node)
  }

  /** All tenants, with the addresses of their nodes: encoded when it is first asked for. */
  get listing(): Uint8Array {
    this.encoded ??= encodeListing(
      Tenants.list(this.tenants).map(({ id, name, replicas }) => ({
        id,
        name,
        replicas: replicas.map((replica) => ({ ...replica, address: this.clients.get(replica.node) ?? "" }))
      }))
    )
    return this.encoded
  }
}
