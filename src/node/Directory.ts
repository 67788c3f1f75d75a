/**
 * What the dispatcher looks up while it routes: computed when the cluster changes, or once for each replica, not for each
 * message.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { parseReplicaId } from "../base/Names.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import type { ReplicaId } from "../vr/Message.ts"
import { encodeListing } from "../wire/Listing.ts"

export class Directory {
  private tenants: Tenants.Tenants = Tenants.noTenants
  private clients: ReadonlyMap<string, string> = new Map()
  /** The nodes of the replicas that were asked for, which their ids name. */
  private readonly nodes = new Map<ReplicaId, string>()
  private encoded: Uint8Array | null = null

  /** The members or the tenants have changed. */
  update(members: Members.Members, tenants: Tenants.Tenants): void {
    this.clients = new Map(Members.list(members).map(({ client, name }) => [name, client]))
    this.tenants = tenants
    this.encoded = null
  }

  /** Undefined for what is no id. */
  nodeOf(id: ReplicaId): string | undefined {
    const known = this.nodes.get(id)
    if (known !== undefined) return known
    const replica = parseReplicaId(id)
    if (!replica.ok) return undefined
    // Ids come from other nodes, too: what they make up is not kept for ever.
    if (this.nodes.size >= Limits.directory_max) this.nodes.clear()
    this.nodes.set(id, replica.value.node)
    return replica.value.node
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
