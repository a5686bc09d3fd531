/** Adds `value` to the last `size` values, of which the oldest leaves. @returns their median, the lower of two */
export function medianWith(values: number[], value: number, size: number): number {
  values.push(value);
  if (values.length > size) values.shift();
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? value;
}
