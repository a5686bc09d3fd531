/** The overlays as kustomize makes them, read as objects. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { hasOwnCluster } from "../../../scripts/setup-suites.js";
import { toolsFolder } from "./cluster.ts";

const run = promisify(execFile);
const OVERLAYS = fileURLToPath(new URL("../../../deploy/k8s/overlays", import.meta.url));

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
    readonly readOnly?: boolean;
  }[];
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
  readonly terminationMessagePolicy?: string;
}
interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number };
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: { readonly secretName: string; readonly items?: readonly { readonly key: string }[] };
  }[];
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly affinity?: { readonly podAntiAffinity?: object };
}

type Labels = Readonly<Record<string, string>>;

export interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values: readonly string[];
  }[];
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly replicas?: number;
    readonly strategy?: object;
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
    readonly serviceName?: string;
    readonly selector?: Labels & Selector;
    readonly podSelector?: { readonly matchLabels?: Labels };
    readonly policyTypes?: readonly string[];
    readonly ports?: readonly { readonly name: string; readonly port: number; readonly targetPort: string | number }[];
    readonly podMetricsEndpoints?: readonly { readonly port: string }[];
    readonly groups?: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

export type Overlay = "dev" | "cloud" | "edge";

/** The overlay as text, as `kubectl apply -k` sends it. */
export function renderText(overlay: Overlay): Promise<string> {
  return renderFolder(join(OVERLAYS, overlay));
}

/** A folder with a kustomization, as text. */
export async function renderFolder(folder: string): Promise<string> {
  const [program, ...first] = hasOwnCluster() ? ["kubectl"] : [join(toolsFolder(), "kube"), "kubectl"];
  const { stdout } = await run(program ?? "", [...first, "kustomize", folder], { maxBuffer: 1e8 });
  return stdout;
}

export async function render(overlay: Overlay): Promise<Manifest[]> {
  return parse(await renderText(overlay));
}

/** Objects out of YAML. */
export function parse(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** What runs pods. */
export function workloadsOf(manifests: readonly Manifest[]): Manifest[] {
  return manifests.filter(({ spec }) => spec?.template !== undefined);
}

export function podOf({ kind, metadata, spec }: Manifest): PodSpec {
  if (spec?.template === undefined) throw new Error(`${kind} ${metadata.name} has no pods`);
  return spec.template.spec;
}

export function containersOf(manifest: Manifest): Container[] {
  const { containers, initContainers = [] } = podOf(manifest);
  return [...initContainers, ...containers];
}

/** Every image that the overlay names. */
export function imagesOf(manifests: readonly Manifest[]): string[] {
  return [...new Set(workloadsOf(manifests).flatMap((each) => containersOf(each).map(({ image }) => image)))];
}

/** Throws when there is none of that name. */
export function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind}/${name}`);
  return found;
}
/** Values of `--name=value` among a container's arguments. */
export const optionsOf = (workload: Manifest, name: string): string[] =>
  containersOf(workload)
    .flatMap(({ args = [] }) => args)
    .filter((word) => word.startsWith(`--${name}=`))
    .map((word) => word.slice(name.length + 3));
/** The first of them. */
export const optionOf = (workload: Manifest, name: string): string | undefined => optionsOf(workload, name)[0];
/** What its pods serve or follow. */
export const modelOf = ({ spec }: Manifest): string => spec?.template?.metadata.labels["knowledgenet/model"] ?? "";

export const matches = (
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>>,
): boolean => Object.entries(selector).every(([key, value]) => labels[key] === value);
/** By `matchLabels` and `matchExpressions` of one kind. */
export const isSelected = (labels: Readonly<Record<string, string>>, selector: Selector = {}): boolean =>
  matches(labels, selector.matchLabels ?? {}) &&
  (selector.matchExpressions ?? []).every(
    ({ key, operator, values }) => operator === "In" && values.includes(labels[key] ?? ""),
  );
