/**
 * Distribution functions that the gate needs, in double precision: checked against SciPy to 1e-9
 * (conformance/statistics).
 *
 * Sources: the continued fraction of the incomplete beta function, DLMF 8.17.22, by the modified Lentz method; Stirling's
 * series, DLMF 5.11.1; the normal quantile by Acklam's rational approximation (relative error 1.2e-9), which only
 * sizes bets and decides nothing.
 */

/** Terms of the continued fraction; it converges in about the square root of the larger parameter. */
const MOST_TERMS = 100_000;
const TINY = 1e-300;
/** Stirling's series is exact to a double's last bits from here on. */
const STIRLING_FROM = 16;

/** Natural logarithm of the gamma function, for x > 0. */
export function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < STIRLING_FROM; z += 1) shift += Math.log(z);
  const r = 1 / (z * z);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Regularised incomplete beta function I_x(a, b): the share of a Beta(a, b) below x. @param x in [0, 1] */
export function regularizedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  // The fraction converges fast on this side of the mean only.
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

/** The x at which `regularizedBeta(x, a, b)` is `share`. @param share in [0, 1] */
export function betaQuantile(share: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (regularizedBeta(middle, a, b) < share) low = middle;
    else high = middle;
  }
}

/** Quantile of Student's t. @param share in [0.5, 1) */
export function studentQuantile(share: number, degreesOfFreedom: number): number {
  const x = betaQuantile(2 * (1 - share), degreesOfFreedom / 2, 0.5);
  return Math.sqrt((degreesOfFreedom * (1 - x)) / x);
}

/** Quantile of the standard normal distribution, to a relative error of 1.2e-9. @param share in (0, 1) */
export function normalQuantile(share: number): number {
  if (share > 0.5) return -normalQuantile(1 - share);
  if (share < 0.02425) {
    const t = Math.sqrt(-2 * Math.log(share));
    return polynomial(TAIL_OVER, t) / (polynomial(TAIL_UNDER, t) * t + 1);
  }
  const t = share - 0.5;
  const r = t * t;
  return (polynomial(CENTRE_OVER, r) * t) / (polynomial(CENTRE_UNDER, r) * r + 1);
}

/** Density of the standard normal distribution. */
export const normalDensity = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

/** Acklam's coefficients, highest power first. */
const CENTRE_OVER = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
  2.506628277459239,
];
const CENTRE_UNDER = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1,
];
const TAIL_OVER = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
];
const TAIL_UNDER = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];

const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((sum, each) => sum * x + each, 0);

function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= MOST_TERMS; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return value;
}

const awayFromZero = (value: number): number => (Math.abs(value) < TINY ? TINY : value);
