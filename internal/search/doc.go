// Package search holds what a search is made of: the Record that is looked
// for, the language that says which, and the Store that keeps and finds them.
//
// # The language
//
// A [Query] is a filter and stages, each behind a pipe, as Sumo Logic's language
// has them, so that a query copied from its tutorials finds the same lines.
// docs/search-language.md says all of it; it is what [Reference] writes, from the
// tables that the parser dispatches by. [Evaluate] is what it means.
//
// # The filter
//
//	_source=Konnect action=list NOT granted=true
//	(AUTHENTICATION_TYPE_PAT OR AUTHENTICATION_TYPE_SPAT) src=10.0.*
//	"GET /v2/control-planes" status>=400 method in (GET, PUT)
//
// A keyword or a "phrase in quotes" matches a line that holds it. A comparison
// matches a field: name=value, name!=value, name=* for any value at all, and
// < <= > >= by number or by text (see [Order]); name in (a, b) is short for
// (name=a OR name=b).
// Terms are joined by AND, which may be left out, OR and NOT, in any case of
// letters; NOT binds tighter than AND, and AND tighter than OR; parentheses
// group. An empty query, and a * by itself, match everything.
//
// The * stands for any run of characters, none included. Inside quotes it is
// an ordinary character, as everything is there but \" for a quote and \\ for a
// backslash; to have both, put the star outside: user_agent="curl 8"*.
//
// Letters are compared without regard to case: see [Fold].
//
// A keyword is looked for as a substring of the raw line. Sumo Logic matches
// whole terms, split at punctuation by rules that differ between its tiers; a
// substring needs no such rules, finds a part of an identifier, and finds every
// line that the term would have found. The price is that a short keyword finds
// more than asked, and a NOT of it excludes more. For that price would be highest
// there, a keyword does not look into the characters of a line's signature, unless
// it has sig= or "sig":" in it; the filter knows them as the field sig.
//
// The names _source, _collector, _sourceCategory, _sourceHost, _sourceName,
// _signature, _keyid, _raw, _parse_error and _time_note, in any case of
// letters, are what the collector knows of a record; one of them that is empty
// counts as absent.
// Every other name is a field parsed from the line, spelt as the line spells
// it, and present even when its value is empty.
//
// name!=value is the same as NOT name=value. So every record either matches a
// comparison or matches its negation, and a record without the field matches
// name!=value; write name=* name!=value to leave those out.
//
// Not understood as anything but text: a leading - or !, and ?.
//
// # The stages
//
// Values are texts, numbers and null, and the kind of every expression and column
// is known once a query is parsed ([Kind]), so that an engine without values of
// changing kinds can compute it. A text counts as a number where it looks like
// one ([Value.Number]); that rule, the order of values ([Sort]) and how numbers
// are written ([Value.String]) hold everywhere. Conditions are true or false,
// never null. Letters are compared as they are, other than in the filter.
package search
