/** Data sets behind one port, the order in which an epoch visits their samples, and as which view it shows them. */
export { CLASS_NAMES } from "./class-names.ts";
export { augment, type AugmentationOptions, viewOf } from "./augmentation.ts";
export { loadCifar10, readCifar10 } from "./cifar10.ts";
export { createDataset, createSplit, type Dataset, type LoadDatasetOptions, type Split } from "./dataset.ts";
export { epochOrder } from "./epoch-order.ts";
export {
  decodeImage,
  type DecodeImageOptions,
  DEFAULT_MAX_PIXELS,
  type ImageSize,
  type PixelImage,
  resizeBilinear,
} from "./image-file.ts";
export { loadMnist } from "./mnist.ts";
export { parseOptions } from "./parse-options.ts";
export { BLACK, type Colour, decodePng, type DecodePngOptions, type PngImage } from "./png-image.ts";
export { type RandomDraws, randomDraws } from "./random-draws.ts";
export { splitmix32 } from "./splitmix.ts";
