/** What a shelf of updates is in a store: its records, and its removal. The shelf itself: src/models/updates. */
export {
  encodeShelf,
  headAfter,
  newestOf,
  NOTHING_SHELVED,
  parseHead,
  parseShelf,
  shelfKeys,
  type ShelfHead,
  type ShelfRecord,
  type ShelvedUpdate,
  UPDATES_BUCKET,
  withEntry,
  withOffer,
  withoutOffer,
} from "./shelf-records.ts";
export { clearShelf, type StoredShelf, storedShelves } from "./stored-shelves.ts";
