/** Logs behind a port. */
export { type Logger, silentLogger } from "./logger.ts";
