/** Before the k8s suite: images, and a cluster that knows them; after it: nothing of it is left. */
import type { TestProject } from "vitest/node";
import { hasOwnCluster } from "../../../scripts/setup-suites.js";
import { openEngine } from "../containers/engine.ts";
import { buildImages } from "../containers/images.ts";
import { type Kubectl, startCluster } from "./cluster.ts";
import { imagesOf, render } from "./manifests.ts";

declare module "vitest" {
  export interface ProvidedContext {
    kubectl: Kubectl;
    machinePid: number | undefined;
    /** Of each image, unpacked. */
    imageBytes: Readonly<Record<string, number>>;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (hasOwnCluster()) {
    // It has to have the images: docs/operations.md, "Install".
    project.provide("kubectl", ["kubectl"]);
    project.provide("machinePid", undefined);
    project.provide("imageBytes", {});
    return () => Promise.resolve();
  }
  await using engine = await openEngine();
  const built = await buildImages(engine, console.log);
  const imageBytes: Record<string, number> = {};
  for (const [kind, tag] of Object.entries<string>({ ...built })) {
    imageBytes[kind] = Number(await engine.call("image", "inspect", "--format", "{{.Size}}", tag));
  }
  const names: Record<string, string> = {};
  for (const name of imagesOf(await render("dev"))) {
    names[name] = name.startsWith("nats")
      ? built.nats
      : name.startsWith("knowledgenet-wasm")
        ? built.wasm
        : built.native;
  }
  const startedMs = performance.now();
  const cluster = await startCluster(engine, names);
  console.log(`cluster: ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  project.provide("kubectl", cluster.kubectl);
  project.provide("machinePid", cluster.machinePid);
  project.provide("imageBytes", imageBytes);
  return () => Promise.resolve(cluster[Symbol.asyncDispose]());
}
