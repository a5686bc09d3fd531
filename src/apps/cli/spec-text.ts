/** A spec as YAML in hand-written style: a line for each layer, short lists in one line. */
import { Document, isMap, isScalar, isSeq, visit } from "yaml";

export function specYaml(spec: unknown, comment: string): string {
  const document = new Document(spec, { aliasDuplicateObjects: false });
  document.commentBefore = ` ${comment}`;
  visit(document, {
    Map(_, map, path) {
      // An entry of a list, or a collection of scalars.
      const isEntry = isSeq(path.at(-1));
      if (isEntry || (path.length > 2 && map.items.every(({ value }) => isScalar(value) || isFlatList(value))))
        map.flow = true;
    },
    Seq(_, list) {
      if (isFlatList(list)) list.flow = true;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function isFlatList(value: unknown): boolean {
  return isSeq(value) && value.items.every((item) => isScalar(item)) && !isMap(value);
}
