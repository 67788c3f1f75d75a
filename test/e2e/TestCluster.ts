/**
 * A cluster of processes for one test: closed when the test ends; what its nodes said is printed if it failed.
 *
 * @module
 */
import { onTestFailed, onTestFinished } from "vitest"
import { Cluster, type ClusterOptions } from "./Cluster.ts"
import { movable } from "./Moves.ts"

const attend = async (starting: Promise<Cluster>): Promise<Cluster> => {
  const cluster = await starting
  onTestFailed(() => console.error(cluster.logs()))
  onTestFinished(() => cluster.close())
  return cluster
}

/** Joined, with the tenant "t" on all nodes. */
export const testCluster = (options: ClusterOptions): Promise<Cluster> => attend(Cluster.start(options))

/** With the tenant "t" on the first of eight nodes. */
export const movableCluster = (): Promise<Cluster> => attend(movable("disk"))

/** Nodes that do not know each other. */
export const nodesApart = (options: ClusterOptions): Promise<Cluster> => attend(Cluster.apart(options))
