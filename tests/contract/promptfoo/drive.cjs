// Runs promptfoo on one configuration without its database: node drive.cjs PACKAGE CONFIG OUT [OPTIONS as JSON].
// OUT becomes what promptfoo would write with `-o out.json`.
const fs = require('node:fs');
const path = require('node:path');

const [root, configPath, outPath, options = '{}'] = process.argv.slice(2);
const inside = (name) => require(path.join(root, 'dist/src', name));
const command = JSON.parse(options);

async function main() {
  const { resolveConfigs } = inside('util/config/load.js');
  const { evaluate } = inside('evaluator.js');
  const { filterTests } = inside('commands/eval/filterTests.js');
  const { filterProviders } = inside('commands/eval/filterProviders.js');
  const Eval = inside('models/eval.js').default;
  const { config, testSuite } = await resolveConfigs({ config: [configPath], ...command.command }, {});
  testSuite.tests = await filterTests(testSuite, command.filters ?? {});
  testSuite.providers = filterProviders(testSuite.providers, command.providers);
  const record = new Eval(config, { id: 'eval-test' });
  await evaluate(testSuite, record, { maxConcurrency: 1, repeat: config.evaluateOptions?.repeat, ...command.evaluate });
  const results = await record.toEvaluateSummary();
  fs.writeFileSync(outPath, JSON.stringify({ evalId: record.id, results, config, shareableUrl: null }));
}

main().then(() => process.exit(0), (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
