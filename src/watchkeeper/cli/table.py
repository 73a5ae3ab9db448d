"""The table of commands. A command's module is imported when it is called."""

from cyclopts import App

COMMANDS = {
    "watchkeeper.cli.up:up": "Start gateway, console and the bundled model; Ctrl-C stops them.",
    "watchkeeper.cli.check:check": "Read a configuration file and name every mistake with its line.",
    "watchkeeper.cli.calls:calls": "List calls, the newest first; --follow goes on with those that arrive.",
    "watchkeeper.cli.call:call": "Show one call by its id: conversation, attempts, routing, timing, tokens and cost.",
    "watchkeeper.cli.replay:replay": "Repeat a call under another release or by another model, side by side.",
    "watchkeeper.cli.changes:changes": "List what was changed in the set-up, when and by whom.",
    "watchkeeper.cli.health:health": "Ask every part whether it works.",
}
NOUNS = {
    "keys": "Virtual keys.",
    "users": "Who may sign in to the console, and what they may do.",
    "tokens": "API tokens for programs.",
    "fault": "Faults injected for drills.",
    "cache": "The gateway's cache of answers.",
    "prices": "What models cost.",
    "route": "How calls find their target.",
    "config": "The configuration.",
    "value": "Units of value.",
    "eval": "Evaluation: suites of cases, their runs, and what those show.",
    "release": "Releases: prompts with everything that determines an answer, and what is live where.",
    "index": "Documents that releases look up.",
    "feedback": "What people thought of answers.",
    "labels": "What people say of answers, and how far judges agree with them.",
    "rollout": "Releases that are tried beside the one that stands: canaries, A/B tests, shadows.",
}
GROUPS = {
    "watchkeeper.cli.cost:group": "What calls cost: by any dimensions; compared, wasted, saved; by unit of value.",
    "watchkeeper.cli.budgets:group": "Budgets, and how they stand.",
    "watchkeeper.cli.alerts:group": "Alerts, and who is told of them.",
}
"""Nouns that say something without a verb, too. Their verbs may stand in several modules: `cost_why` is of `cost`."""
VERBS = {
    "watchkeeper.cli.keys:create": "Make a key; it is printed once, as the last line.",
    "watchkeeper.cli.keys:list_": "List the keys without their secrets.",
    "watchkeeper.cli.keys:revoke": "End a key at once.",
    "watchkeeper.cli.keys:rotate": "Make a key like another, which ends after an overlap.",
    "watchkeeper.cli.eval_run:run": "Run a suite against a release, an environment or a model; --gate decides.",
    "watchkeeper.cli.eval_run:resume": "Go on with a run where it stopped.",
    "watchkeeper.cli.eval:list_": "List runs, the newest first.",
    "watchkeeper.cli.eval:show_": "Show what a run came to; --case shows one case whole.",
    "watchkeeper.cli.eval:compare": "Compare two runs of a suite, case by case.",
    "watchkeeper.cli.eval:export": "Write a report of a run into a file.",
    "watchkeeper.cli.eval:suites": "List the suites that are kept.",
    "watchkeeper.cli.eval:push": "Keep a suite as its latest version.",
    "watchkeeper.cli.eval_calibrate:calibrate": "Say how often the gate would raise a false alarm.",
    "watchkeeper.cli.eval_import:import_": "Make a suite of another program's file.",
    "watchkeeper.cli.users:add": "Add a user.",
    "watchkeeper.cli.users:grant": "Give a user a role, for one feature or for all.",
    "watchkeeper.cli.users:withdraw": "Take a role from a user.",
    "watchkeeper.cli.users:list_": "List the users and their roles.",
    "watchkeeper.cli.users:show_": "Show a user and each of their roles.",
    "watchkeeper.cli.users:password": "Change a user's password; their sessions end.",
    "watchkeeper.cli.users:hand_over": "Let a user sign in with the provider from now on.",
    "watchkeeper.cli.users:disable": "Keep a user out from now on.",
    "watchkeeper.cli.users:enable": "Let a user in again.",
    "watchkeeper.cli.users:link": "Make a link that signs in once.",
    "watchkeeper.cli.tokens:create": "Make a token; it is printed once, as the last line.",
    "watchkeeper.cli.tokens:list_": "List the tokens.",
    "watchkeeper.cli.tokens:revoke": "End a token at once.",
    "watchkeeper.cli.budgets:list_": "List their accounts, the fullest first, as without a verb.",
    "watchkeeper.cli.budgets:show_": "Show how one account stands.",
    "watchkeeper.cli.budgets:holds": "List holds of dead workers that somebody must resolve.",
    "watchkeeper.cli.budgets:resolve": "Book what a call used that was never recorded.",
    "watchkeeper.cli.budgets:top_up": "Let an account use more in its present window.",
    "watchkeeper.cli.budgets:verify": "Check that the ledger adds up.",
    "watchkeeper.cli.budgets_export:export": "Print the budgets in force as YAML, with what was edited in the console.",
    "watchkeeper.cli.fault:start": "Begin to inject a fault on one route, for a bounded time.",
    "watchkeeper.cli.fault:list_": "List what is injected and what ended of late.",
    "watchkeeper.cli.fault:stop": "End a fault early.",
    "watchkeeper.cli.alerts:list_": "List alerts, the newest first.",
    "watchkeeper.cli.alerts:show_": "Show one alert: what happened, what to do, who was told.",
    "watchkeeper.cli.alerts:resolve": "Say that an alert is over.",
    "watchkeeper.cli.alerts:judge": "Say whether an alert was useful, noise or planned.",
    "watchkeeper.cli.alerts:test": "Send a test message to a destination.",
    "watchkeeper.cli.alerts:outbox": "List messages about alerts: delivered, waiting or given up.",
    "watchkeeper.cli.alerts:retry": "Try a message again that was given up.",
    "watchkeeper.cli.cache:purge": "Drop answers from the cache.",
    "watchkeeper.cli.prices:list_": "List the price lists, and where the price book stands.",
    "watchkeeper.cli.prices:show": "Show what a model costs, now or on a day, as known now or on a day.",
    "watchkeeper.cli.prices:diff": "Show what an update of the price book would change.",
    "watchkeeper.cli.prices:apply": "Approve an update of the price book.",
    "watchkeeper.cli.prices:recompute": "Price past calls again; what differs is written beside them.",
    "watchkeeper.cli.route:why": "Say why a call went to the target that answered it, or to none.",
    "watchkeeper.cli.cost_why:why": "Say what a call cost and why: units, rates, price row, hold and charges.",
    "watchkeeper.cli.cost_compare:compare": "Split the difference between two periods: price, volume, mix, efficiency.",
    "watchkeeper.cli.cost_waste:waste": "Say what was paid for nothing, and what cache and routing saved.",
    "watchkeeper.cli.cost_units:units": "Say what a unit of value of each feature costs.",
    "watchkeeper.cli.cost_export:export": "Write costs into a CSV or Parquet file.",
    "watchkeeper.cli.value:add": "Report units of value of a call or a feature.",
    "watchkeeper.cli.index:build": "Make a version of an index of a folder's documents.",
    "watchkeeper.cli.index:list_": "List the indexes with their newest versions.",
    "watchkeeper.cli.index:show_": "Show the versions of an index.",
    "watchkeeper.cli.index:search": "Search an index as a release does.",
    "watchkeeper.cli.index:remove": "Remove a version of an index.",
    "watchkeeper.cli.feedback:add": "Report feedback on a call or a session.",
    "watchkeeper.cli.feedback:list_": "List feedback, the newest first.",
    "watchkeeper.cli.labels:create": "Draw answers of a run or of calls for people to label.",
    "watchkeeper.cli.labels:list_": "List the queues, the latest first.",
    "watchkeeper.cli.labels:next_": "Show what is to be labelled next.",
    "watchkeeper.cli.labels:give": "Label what is shown, and show the next.",
    "watchkeeper.cli.labels:undo": "Take back your last label in a queue.",
    "watchkeeper.cli.labels:close": "Let nothing more be said in a queue.",
    "watchkeeper.cli.labels:agreement": "Say how far judges agree with people, or people with each other.",
    "watchkeeper.cli.labels:export": "Write what is settled as JSONL.",
    "watchkeeper.cli.eval_cases:add_cases": "Make cases of recorded calls and add them to a suite.",
    "watchkeeper.cli.rollout:start": "Try a release beside the one that stands.",
    "watchkeeper.cli.rollout:list_": "List rollouts, the newest first.",
    "watchkeeper.cli.rollout_show:show_": "Show one: figures, what is known, what was decided and why.",
    "watchkeeper.cli.rollout_show:differences": "Show where a shadow's answers differ, word by word.",
    "watchkeeper.cli.rollout:widen": "Go on to the next step by hand.",
    "watchkeeper.cli.rollout:pause": "Leave every share as it is; harm still takes the candidate back.",
    "watchkeeper.cli.rollout:resume": "Let a paused one go on; its step begins anew.",
    "watchkeeper.cli.rollout:stop": "End it; everybody is served by the release that stands.",
    "watchkeeper.cli.rollout:conclude": "End it with a winner, which then serves everybody.",
    "watchkeeper.cli.release_folder:new": "Write a folder of a feature to begin with.",
    "watchkeeper.cli.release_folder:push": "Keep what a folder holds as the latest release of its feature.",
    "watchkeeper.cli.release_folder:pull": "Bring the latest releases into folders.",
    "watchkeeper.cli.release_folder:diff": "Show what differs: a folder and the latest release, or two releases.",
    "watchkeeper.cli.release:list_": "List releases, and where they are live.",
    "watchkeeper.cli.release:show_": "Show a release.",
    "watchkeeper.cli.release:history": "List what was live of a feature, the latest first.",
    "watchkeeper.cli.release_at:at": "Say what was live at a moment.",
    "watchkeeper.cli.release:promote": "Have a release serve in an environment.",
    "watchkeeper.cli.release:rollback": "Go back to what stood before.",
    "watchkeeper.cli.release:withdraw": "Take a feature off.",
    "watchkeeper.cli.release_review:request": "Ask others to approve of a release.",
    "watchkeeper.cli.release_review:approve": "Say yes to a review request.",
    "watchkeeper.cli.release_review:reject": "Say no to a review request.",
    "watchkeeper.cli.release_review:reviews": "List review requests.",
    "watchkeeper.cli.release_review:gate": "Report what a check came to for a release.",
    "watchkeeper.cli.release_review:freeze": "Have nothing promoted to an environment.",
    "watchkeeper.cli.release_review:unfreeze": "Let releases be promoted again.",
    "watchkeeper.cli.release_review:environments": "List the environments with their rules and freezes.",
    "watchkeeper.cli.config:schema": "Print its JSON schema.",
    "watchkeeper.cli.config:explain": "Show every value in force and where it comes from.",
}


def group_of(noun: str, about: str = "") -> App:
    """Build the table of a noun's verbs."""
    group = App(name=noun, help=about or None, help_format="plaintext", result_action="return_value")
    for path, what in VERBS.items():
        if noun_of(path) == noun:
            group.command(path, name=path.rpartition(":")[2].rstrip("_").replace("_", "-"), help=what)
    return group


def verbs_of(command: str) -> list[str]:
    """List the verbs of `watchkeeper NOUN`."""
    noun = command.rpartition(" ")[2]
    return [path.rpartition(":")[2].rstrip("_").replace("_", "-") for path in VERBS if noun_of(path) == noun]


def noun_of(path: str) -> str:
    """Name the noun that a module's commands belong to: that of `cost_why` is `cost`."""
    return path.partition(":")[0].rpartition(".")[2].partition("_")[0]
