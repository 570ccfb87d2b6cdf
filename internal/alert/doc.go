// Package alert keeps saved searches, and tells a webhook when what one of them
// finds crosses a threshold, and when it no longer does.
//
// A saved [Search] has a query of the search language. With an [Alert] it is
// evaluated on a schedule, over what was received in a window of time that ends
// now, and its [Condition], such as "count > 10 in 5m by src", is held against
// each group that the window has. A group for which it begins to hold fires, and
// one for which it no longer holds recovers; of each the webhook is told once.
//
// # What is promised
//
// No line is passed over. A window goes by the time of receipt, and ends where
// everything that was received before is searchable. An evaluation that comes
// late, after a stop or a failure, begins where the last one ended.
//
// Each change of a group's state is posted, at least once, over any crash. The
// posts of an evaluation are written first, and then the alert's state, which
// names them, in one write: a post that the state does not name is never sent.
// A post is deleted when it was accepted; a crash between the two sends it again,
// with the same id, the same body and the same Idempotency-Key.
//
// What goes wrong is told and changes nothing: an evaluation that fails neither
// fires nor recovers, and is tried again at its next time; a post that is refused
// is tried again with growing pauses until it is accepted, its alert is deleted,
// or its webhook is taken away.
//
// There must be one [Alerts] for each broker.
package alert
