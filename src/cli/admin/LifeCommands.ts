/**
 * The commands of `v2r2-admin` that end something, or give it another name: nodes that go, tenants that are deleted and
 * renamed.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { nameProblem, tenantProblem } from "../../base/Names.ts"
import { Admin } from "../../client/Admin.ts"
import { commands } from "../../wire/AdminProtocol.ts"
import { confirmed } from "../Asking.ts"
import { define } from "../Definition.ts"
import { usage } from "../Failure.ts"
import { Switch } from "../Options.ts"
import { node, notYet, tenant, valid } from "./Words.ts"

const admin = Effect.map(Admin, ({ call }) => call)

/** Nodes that do not answer are waited for several times. */
const patience_ms = 20_000

export const clusterLeave = define({
  name: "leave",
  config: { node },
  summary: "Take a node out of the cluster for good",
  details: "Refused while replicas live on it: the message has the commands that move them. Its name is free then. " +
    "To come back, it starts with an empty data_dir, and joins.",
  examples: [{ command: "cluster leave dev4", description: "Once it has no replicas any more" }],
  json: commands["cluster.leave"].ok,
  attempt: ({ node }) => `cluster leave ${node}`,
  run: Effect.fnUntraced(function*({ node }) {
    yield* valid(nameProblem(node))
    const left = yield* (yield* admin)("cluster.leave", { node }, { deadline_ms: patience_ms })
    return { _tag: "Done", json: left, plain: left.node, pretty: `node ${left.node} has left the cluster: stop it${notYet(left.unheard)}` }
  })
})

export const clusterRemove = define({
  name: "remove",
  config: {
    node,
    dead: Switch("dead").pipe(
      Flag.withDescription("It will never return: has to be said, so that nobody removes one by mistake"),
      Flag.withDefault(false)
    )
  },
  summary: "Take a node out of the cluster whose machine will never return",
  details: "Refused while it answers, and while tenants count on it. If it starts again after all, it is told that it is " +
    "out, and takes part in nothing. Its name is free then.",
  examples: [{ command: "cluster remove dev4 --dead", description: "Its disk is gone" }],
  json: commands["cluster.remove"].ok,
  attempt: ({ node }) => `cluster remove ${node}`,
  run: Effect.fnUntraced(function*({ dead, node }) {
    yield* valid(nameProblem(node))
    if (!dead) {
      return yield* usage(
        "this is for a node whose machine will never return, and it can never come back with what it has",
        `if that is so: cluster remove ${node} --dead; to take out one that runs: cluster leave ${node}`
      )
    }
    const removed = yield* (yield* admin)("cluster.remove", { node }, { deadline_ms: patience_ms })
    return {
      _tag: "Done",
      json: removed,
      plain: removed.node,
      pretty: `node ${removed.node} is removed from the cluster as dead${notYet(removed.unheard)}`
    }
  })
})

export const deleteTenant = define({
  name: "tenant",
  config: {
    tenant,
    confirm: Flag.String("confirm").pipe(
      Flag.withMetavar("<tenant>"),
      Flag.withDescription("The same name or id again, where nobody can be asked for it"),
      Flag.optional
    )
  },
  summary: "Delete a tenant with all that it holds, for good",
  details: "On a terminal it asks for the name again. A backup is made with: snapshot save <tenant> <file>.",
  examples: [{ command: "vr delete tenant orders --confirm orders", description: "Without being asked" }],
  json: commands["vr.delete"].ok,
  attempt: ({ tenant }) => `vr delete tenant ${tenant}`,
  run: Effect.fnUntraced(function*({ confirm, tenant }, options) {
    yield* valid(tenantProblem(tenant))
    const what = `Tenant ${tenant} and all that it holds will be gone, for good.`
    yield* confirmed({ text: tenant, given: Option.getOrNull(confirm), what, flag: "--confirm" }, options)
    const deleted = yield* (yield* admin)("vr.delete", { tenant })
    return {
      _tag: "Done",
      json: deleted,
      plain: deleted.tenant,
      pretty: `tenant ${deleted.name ?? deleted.tenant} is deleted${notYet(deleted.unheard)}`
    }
  })
})

export const renameTenant = define({
  name: "rename",
  config: { tenant, name: Argument.String("name").pipe(Argument.withDescription("Its new name, which no other tenant may have")) },
  summary: "Give a tenant another name; it serves meanwhile",
  details: "Its id stays. Sessions that are open go on; new ones are opened by the new name, or by the id.",
  examples: [{ command: "vr rename orders orders-2026", description: "The name orders is free then" }],
  json: commands["vr.rename"].ok,
  attempt: ({ name, tenant }) => `vr rename ${tenant} ${name}`,
  run: Effect.fnUntraced(function*({ name, tenant }) {
    yield* valid(tenantProblem(tenant) ?? nameProblem(name))
    const renamed = yield* (yield* admin)("vr.rename", { tenant, name })
    return {
      _tag: "Done",
      json: renamed,
      plain: renamed.tenant,
      pretty: `tenant ${renamed.was ?? renamed.tenant} is called ${renamed.name} now${notYet(renamed.unheard)}`
    }
  })
})
