// Package collector is a SIEM's front door: it takes lines over HTTP and
// syslog, makes them durable, and turns them into search records with a verdict
// on their signature.
//
// A [Receiver] answers as an HTTP source of Sumo Logic does, and as Splunk's
// HTTP event collector, and answers 200 only when the lines are on disk in the
// [Intake]. [Syslog] answers nobody, and reads a connection no further than
// what is on disk.
//
// One [Indexer] reads the intake in order, verifies, parses and inserts into
// the search store, and takes out of the intake what the store has made
// durable. The store keeps the intake position together with the records, so
// that a line is indexed exactly once whatever is interrupted: a crash between
// the store's commit and the purge makes the indexer read the lines again, and
// the store tells from the position that it has them.
//
// The [Catalog] holds what the Sumo-compatible API manages: collectors, their
// sources, and access keys. [Own] takes the audit events of that API, as lines of
// a source of their own. A [Forwarder] sends on what sources have stored.
package collector
