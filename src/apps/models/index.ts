/** Where models are on this machine, and the keys of their releases: what commands and services compose. */
export { DEFAULT_MODELS_FOLDER, folderModels, type FolderModelsOptions } from "./folder-models.ts";
export { signerIn, trustedKeys, TRUSTED_KEYS_VARIABLE } from "./trusted-keys.ts";
