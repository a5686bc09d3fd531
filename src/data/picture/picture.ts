/** An image while it is changed. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** [height, width, channels], row-major, each in [0, 1]. */
  readonly values: Float64Array;
}

export const clip = (value: number): number => Math.min(1, Math.max(0, value));

/** A new picture; `change` sees each value and its position in `values`. */
export function mapValues(picture: Picture, change: (value: number, at: number) => number): Picture {
  return { ...picture, values: picture.values.map(change) };
}
