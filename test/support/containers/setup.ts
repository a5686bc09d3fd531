/** Before the container suite: the engine, the images; after it: nothing of it is left. */
import type { TestProject } from "vitest/node";
import { type EngineAccess, openEngine } from "./engine.ts";
import { buildImages, type Images } from "./images.ts";

declare module "vitest" {
  export interface ProvidedContext {
    engine: EngineAccess;
    images: Images;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engine = await openEngine();
  try {
    project.provide("images", await buildImages(engine, console.log));
    project.provide("engine", engine.access);
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
  return () => Promise.resolve(engine[Symbol.asyncDispose]());
}
