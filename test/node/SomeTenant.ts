/**
 * A tenant for tests of parts that only look at one: "t" of r1::n1 and r2::n2.
 *
 * @module
 */
import type { Tenant } from "../../src/tenants/Tenants.ts"

export const someTenant: Tenant = {
  id: "6f9619ff-8b86-4d01-8b42-00cf4fc964ff",
  name: "t",
  epoch: 0,
  replicas: [{ name: "r1", node: "n1" }, { name: "r2", node: "n2" }],
  durability: "disk",
  stamp: 1,
  confirmed: true,
  withdrawn: false,
  coordinator: "n1"
}
