package alert

import "time"

// Shipped is the owner of the searches that come with the server.
const Shipped = "trailhook"

// notByKong leaves out what Konnect itself does on somebody's behalf.
const notByKong = "NOT kong_initiated=true"

// shippedSearches are the conditions that Konnect's documentation recommends to
// alert on, switched off, and without a webhook. The last of them, to leave out what
// Kong has initiated, is part of all others, and a search of its own.
func shippedSearches() []Search {
	alert := func(id, name, description, filter, condition string) Search {
		return Search{
			ID: "konnect-" + id, Name: "Konnect: " + name, Description: description, Query: filter + " " + notByKong,
			Range: defaultRange, Owner: Shipped, Alert: &Alert{Condition: condition, Every: time.Minute},
		}
	}
	const once, often = "count > 0 in 5m", "count > 10 in 5m by src"
	return []Search{
		alert("severity-10", "severity 10", "A request failed on the server's side (status 500 or more).", "severity=10", once),
		alert("severity-6", "severity 6", "Something was refused, or an account was locked or disabled.", "severity=6", once),
		alert("locked", "account locked", "Somebody tried to use an account that is locked.", "name=AUTHENTICATION_OUTCOME_LOCKED", once),
		alert("disabled", "account disabled", "Somebody tried to use an account that is disabled.", "name=AUTHENTICATION_OUTCOME_DISABLED", once),
		alert("authentication-severity-7", "invalid authentication", "Credentials that are none, which no client sends by mistake.",
			"kind=authentication severity=7", once),
		alert("failed-authentications", "many failed authentications", "More than 10 failures from one address in 5 minutes: somebody guesses.",
			"kind=authentication success=false", often),
		alert("denied", "denied", "Somebody asked for what his roles do not allow.", "kind=authorization granted=false", once),
		{
			ID: "konnect-not-kong-initiated", Name: "Konnect: not initiated by Kong",
			Description: "Everything but what Konnect itself does on somebody's behalf.",
			Query:       notByKong, Range: defaultRange, Owner: Shipped,
		},
	}
}
