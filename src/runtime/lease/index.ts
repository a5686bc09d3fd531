/** The exclusive right to be an actor, with a fencing token that grows with each holder. */
export { acquireLease, type Lease, type LeaseDeps, type LeaseOptions, tryLease } from "./lease.ts";
export { confirmedBus } from "./confirmed-bus.ts";
