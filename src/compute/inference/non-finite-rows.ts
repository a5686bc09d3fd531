/**
 * Sets each row of `values`, seen as [rows, ...], to zero that holds a value that is not finite.
 * @returns their indices, ascending.
 */
export function zeroNonFiniteRows(values: Float32Array, rows: number): number[] {
  const size = values.length / rows;
  const found: number[] = [];
  for (let row = 0; row < rows; row += 1) {
    // x - x is 0 for finite x and NaN for the rest; one sum shows whether any was not finite.
    let sum = 0;
    for (let index = row * size; index < (row + 1) * size; index += 1) {
      sum += (values[index] as number) - (values[index] as number);
    }
    if (sum === 0) continue;
    values.fill(0, row * size, (row + 1) * size);
    found.push(row);
  }
  return found;
}
