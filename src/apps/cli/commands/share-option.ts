/** A share on the command line: 0 to 1. */
import { InvalidArgumentError } from "commander";

/** @throws InvalidArgumentError, which commander shows with the option's name. */
export function shareOption(text: string): number {
  const share = Number(text);
  if (text.trim() !== "" && share >= 0 && share < 1) return share;
  throw new InvalidArgumentError("it must be a number from 0 to below 1, for example 0.62");
}
