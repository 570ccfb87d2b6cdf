// Package backup copies all that a server keeps into one file, while it runs or when
// it does not, and makes a data directory from that file.
//
// A backup has every event and every line that was acknowledged before it began, and
// nothing of it is half. It has perhaps some of what came while it was being made.
//
// # The order
//
// Nothing stands still for a whole backup, so what refers to something else is copied
// before it, or with it:
//
//  1. The intake is kept: lines are indexed, but none is taken out of it.
//  2. All buckets (the platform's objects, the SIEM's, the cursors of deliveries and
//     forwards) are copied while no write is under way, so they are of one moment.
//     They are small, and writers wait rather than fail.
//  3. The search store is copied between two inserts. It comes after the buckets: a
//     forward's cursor must not be beyond what is stored.
//  4. The streams are copied, each as it is at one moment. The journal comes after
//     the buckets: a cursor, or the place at which a webhook was enabled, beyond the
//     journal's end would have new events passed over when they take those places.
//     What is set aside comes after the cursors for the same reason as it is written
//     before them.
//  5. The intake may be emptied again.
//
// The intake comes after the store: a line is in the intake until it is in the store,
// so the intake must still have what the store's copy lacks, which is why it is kept.
// A line that is in both is known by its sequence. The other way round no line would
// be lost either, but the store's copy could be ahead of the intake's: the next lines
// would get sequences that the store has seen, and be taken for known ones.
//
// What happened between the second step and the fourth is in the journal and has
// left no objects: the journal may tell of a destination that the restored platform
// does not know, as after a crash between an event and its action.
//
// # The file
//
// A tar, compressed with zstd. The files of the data directory are in files/, those
// of the search store in store/, and the streams in streams/NAME/: what the engine
// says of them in about.json, then its snapshot in pieces. Last comes manifest.json,
// with the SHA-256 of everything before it: a file that was cut off has none. The
// files include master.key and the tokens that the first start wrote, so a backup is
// as secret as the data directory.
package backup
