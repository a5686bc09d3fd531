/** What the classes of each data set are called, in the order of their labels. */
export const CLASS_NAMES: Readonly<Record<"mnist" | "cifar-10", readonly string[]>> = {
  mnist: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  "cifar-10": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
};
