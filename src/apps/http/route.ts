/** The path of a request to what it asks for. Names are percent-decoded once; versions are strings. */

export interface ModelTarget {
  readonly model: string;
  readonly version?: string;
}

export interface InferRoute extends ModelTarget {
  readonly kind: "infer";
}

/** What is answered from what is known, without a computation. */
export type DescriptionRoute =
  | { readonly kind: "live" | "ready" | "server" | "repository" | "healthz" | "readyz" }
  | ({ readonly kind: "statistics" } & Partial<ModelTarget>)
  | ({ readonly kind: "model" | "model-ready" | "configuration" } & ModelTarget);

export type Route = InferRoute | DescriptionRoute | { readonly kind: "metrics" };

const FIXED: Readonly<Record<string, Route>> = {
  "/v2": { kind: "server" },
  "/v2/health/live": { kind: "live" },
  "/v2/health/ready": { kind: "ready" },
  "/v2/repository/index": { kind: "repository" },
  "/v2/models/stats": { kind: "statistics" },
  "/metrics": { kind: "metrics" },
  "/healthz": { kind: "healthz" },
  // Nothing of it starts before it listens: alive is started.
  "/startupz": { kind: "healthz" },
  "/readyz": { kind: "readyz" },
};

const VERBS = { ready: "model-ready", infer: "infer", config: "configuration", stats: "statistics" } as const;

/** Methods of each route; GET includes HEAD. */
export function methodOf({ kind }: Route): "GET" | "POST" {
  return kind === "infer" || kind === "repository" ? "POST" : "GET";
}

/** @returns undefined for a path that is none of ours */
export function routeOf(url: string): Route | undefined {
  const query = url.indexOf("?");
  const whole = query < 0 ? url : url.slice(0, query);
  const path = whole.length > 1 && whole.endsWith("/") ? whole.slice(0, -1) : whole;
  if (Object.hasOwn(FIXED, path)) return FIXED[path];
  if (!path.startsWith("/v2/models/")) return undefined;
  const [, , , name = "", ...rest] = path.split("/");
  const model = decoded(name);
  if (model === undefined || model === "") return undefined;
  const [first, second, third, ...more] = rest;
  if (more.length > 0) return undefined;
  if (first !== "versions") return second === undefined ? routeOfModel({ model }, first) : undefined;
  const version = decoded(second ?? "");
  return version === undefined || version === "" ? undefined : routeOfModel({ model, version }, third);
}

function routeOfModel(target: ModelTarget, verb: string | undefined): Route | undefined {
  if (verb === undefined) return { kind: "model", ...target };
  return Object.hasOwn(VERBS, verb) ? { kind: VERBS[verb as keyof typeof VERBS], ...target } : undefined;
}

function decoded(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
