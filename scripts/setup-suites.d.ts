/** Where the cluster's programs lie. */
export function clusterFolder(cache: string): string;
/** Whether a cluster is named that the k8s suite may use instead of one of its own. */
export function hasOwnCluster(): boolean;
/** Programs of the suite that this machine lacks. */
export function missingPrograms(suite: "containers" | "k8s"): string[];
export function installSystemPackages(): boolean;
export function buildSuiteTools(cache: string): boolean;
