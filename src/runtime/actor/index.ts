/**
 * The actor system: lifecycles, messages, checkpoints and supervision. It is independent of neural networks.
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
  type Position,
  refuseCommand,
  allOrAbort,
  requestWithRetry,
} from "./control-channel.ts";
export { createActor, type ActorDefinition, type HostedActor, type LifecycleEffects } from "./create-actor.ts";
export { createMailbox, type Mailbox, type Message } from "./mailbox.ts";
export { hostMachine, type MachineHost } from "./machine-host.ts";
export { createMessageActor, type MessageActorDeps, type MessageActorOptions } from "./message-actor.ts";
export {
  type ActivityStates,
  messageLifecycle,
  type MessageLifecycle,
  type MessageLifecycleContext,
  STARVED_AFTER_MS,
} from "./message-lifecycle.ts";
export { createMessageLoop, type MessageLoop, type PerformOutcome } from "./message-loop.ts";
export { createRestartPolicy, type RestartDecision, type RestartPolicyOptions } from "./restart-policy.ts";
export type { StatePosition } from "./state-saver.ts";
export { createSupervisor, type Supervisor, type SupervisorOptions } from "./supervisor.ts";
