/** Exact tests, intervals and distribution functions: pure, checked against SciPy. */
export { betByDeadline, betByMixture, type DeadlineBets, type PayoffCount, type Wealth } from "./betting.ts";
export { binomialTail, type Interval, type McNemarTest, mcNemarTest, shareInterval } from "./binomial.ts";
export { logGamma, normalQuantile, regularizedBeta, studentQuantile } from "./distributions.ts";
export { type Estimate, type WeightedValue, weightedMean } from "./weighted-mean.ts";
export { type KolmogorovSmirnovTest, kolmogorovSmirnovTest } from "./kolmogorov-smirnov.ts";
