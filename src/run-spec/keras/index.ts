/**
 * Keras topologies, as in a `model.json` of tfjs or Keras, to the layers of a spec and back. Read: a chain of known
 * layers, of Keras 2 (tfjs's own) or Keras 3. Each option of each layer is taken over exactly, is known to change
 * training only, or is refused by name. Written: Keras 2, which tfjs reads too.
 */
export { type ReadTopology, readTopology } from "./read-topology.ts";
export { writeTopology } from "./write-topology.ts";
