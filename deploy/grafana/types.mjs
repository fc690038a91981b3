// Writes dashboards.ts to a folder: the dashboards as values of the types of @grafana/schema, so that
// the TypeScript compiler finds a field that Grafana does not know, or a value that it does not take.
//   node types.mjs FOLDER && tsc --noEmit --strict FOLDER/dashboards.ts
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
// The package exports its root alone; the compiler is told the path of the rest.
const raw = "./node_modules/@grafana/schema/dist/types/raw";
const lines = [
  `import type { Dashboard, Panel, RowPanel } from "${raw}/dashboard/x/types.gen";`,
  `import type * as timeseries from "${raw}/composable/timeseries/panelcfg/x/types.gen";`,
  `import type * as stat from "${raw}/composable/stat/panelcfg/x/types.gen";`,
  "// A string enum takes its own members alone, and JSON has but their values.",
  "type Plain<T> = T extends string ? `${T}` : T extends readonly (infer E)[] ? Plain<E>[]",
  "  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;",
];
const name = (path) => path.replace(".json", "").replaceAll("-", "_");
const value = (json) => JSON.stringify(json, null, 1);

for (const file of readdirSync(join(here, "dashboards"))) {
  const dashboard = JSON.parse(readFileSync(join(here, "dashboards", file), "utf8"));
  const { panels, ...rest } = dashboard;
  lines.push(`export const ${name(file)}: Plain<Omit<Dashboard, "panels">> = ${value(rest)};`);
  for (const [at, panel] of panels.entries()) {
    const kind = panel.type === "row" ? "RowPanel" : "Panel";
    lines.push(`export const ${name(file)}_${at}: Plain<${kind}> = ${value(panel)};`);
    if (panel.type === "row") continue;
    lines.push(`export const ${name(file)}_${at}_options: Plain<${panel.type}.Options> = ${value(panel.options)};`);
    const custom = panel.fieldConfig.defaults.custom;
    if (custom) {
      lines.push(`export const ${name(file)}_${at}_custom: Plain<${panel.type}.FieldConfig> = ${value(custom)};`);
    }
  }
}
writeFileSync(join(process.argv[2], "dashboards.ts"), lines.join("\n") + "\n");
