/** Exact tests, intervals and distribution functions: pure, checked against SciPy. */
export { binomialTail, type Interval, type McNemarTest, mcNemarTest, shareInterval } from "./binomial.ts";
export { logGamma, normalDensity, normalQuantile, regularizedBeta, studentQuantile } from "./distributions.ts";
export { type KolmogorovSmirnovTest, kolmogorovSmirnovTest } from "./kolmogorov-smirnov.ts";
