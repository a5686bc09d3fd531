/**
 * The actor system: lifecycles, mail, flow and supervision. Knows messages, not networks.
 *
 * @example
 * const supervisor = createSupervisor({}, { clock, log, factory: (attempt) => createFeederActor(options, deps) });
 * await supervisor.start();
 * const failure = await supervisor.ended;
 */
export type { Actor, ActorFactory, StopOptions } from "./actor.ts";
export {
  type ControlChannel,
  createControlChannel,
  orderPatiently,
  type Position,
  refuseCommand,
} from "./control-channel.ts";
export { hostMachine, type MachineHost } from "./machine-host.ts";
export { createMailbox, type Mailbox, type Message } from "./mailbox.ts";
export { createRestartPolicy, type RestartDecision, type RestartPolicyOptions } from "./restart-policy.ts";
export { createSupervisor, type Supervisor, type SupervisorOptions } from "./supervisor.ts";
export { mailMachine, type MailContext, type MailEvent, type PerformOutcome } from "./mail-machine.ts";
export type { StatePosition } from "./state-saver.ts";
export { createMailActor, type MailActorDeps, type MailActorOptions } from "./mail-actor.ts";
