package entity

import "crypto/rand"

func consumerFields() []Field {
	return append(identity(), text("username", notEmpty), text("custom_id", notEmpty), tagsField())
}

func checkConsumer(d Document) *Violation {
	if d.Text("username") == "" && d.Text("custom_id") == "" {
		return entityViolation("at least one of these fields must be non-empty: 'custom_id', 'username'")
	}
	return nil
}

func keyAuthFields() []Field {
	return []Field{
		text("id", isUUID),
		integer("created_at", 0, maxTime),
		required(foreign("consumer", Consumers)),
		text("key", notEmpty), // made up where it is left out
		integer(timeToLive, 0, maxTimeToLive),
		tagsField(),
	}
}

// newKey makes a key that nobody can guess: 130 bits.
func newKey() string { return rand.Text() }
