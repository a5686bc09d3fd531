export const OWN_KERNELS: readonly string[] = [];
export function registerWasmKernels(): void {}
