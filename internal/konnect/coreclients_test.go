package konnect

import "testing"

// What decK sends, one block a command. Ids are the client's own.
func TestWhatDeckDoes(t *testing.T) {
	const (
		service  = "11111111-1111-4111-8111-111111111111"
		route    = "22222222-2222-4222-8222-222222222222"
		consumer = "33333333-3333-4333-8333-333333333333"
		key      = "44444444-4444-4444-8444-444444444444"
		plugin   = "55555555-5555-4555-8555-555555555555"
		of       = "R /v2/control-planes/{cp}/core-entities"
	)
	empty := []string{`"data":[]`, `"next":null`, `"offset":null`}
	kinds := []string{
		"services", "routes", "plugins", "filter-chains", "vaults", "certificates", "snis", "ca_certificates", "upstreams", "targets", "partials",
		"keys", "key-sets", "ai-models", "degraphql_routes", "consumers", "consumer_groups", "key-auths", "hmac-auths", "jwts", "basic-auths", "acls", "mtls-auths",
	}
	lists := func(want map[string][]string) []step {
		var steps []step
		for _, kind := range kinds {
			parts := empty
			if want[kind] != nil {
				parts = want[kind]
			}
			steps = append(steps, step{call: "GET " + of + "/" + kind + "?size=1000", status: 200, want: parts})
		}
		return steps
	}
	schemas := []step{
		{call: "GET " + of + "/v1/schemas/json/service", status: 200, want: []string{`"retries"`, `"default":60000`}},
		{call: "GET " + of + "/v1/schemas/json/route", status: 200, want: []string{`"strip_path"`}},
		{call: "GET " + of + "/v1/schemas/json/upstream", status: 200},
		{call: "GET " + of + "/v1/schemas/json/target", status: 200},
		{call: "GET " + of + "/schemas/plugins/key-auth", status: 200, want: []string{`"fields":[{`, `"config":{`, `"key_names"`, `"default":["apikey"]`}},
	}
	puts := []step{
		{call: "PUT " + of + "/consumers/" + consumer, body: `{"id":"` + consumer + `","username":"ana","tags":["team-a"]}`, status: 200, want: []string{`"username":"ana"`, `"created_at":`}},
		{call: "PUT " + of + "/services/" + service, status: 200, want: []string{`"retries":5`, `"read_timeout":60000`, `"created_at":`},
			body: `{"connect_timeout":60000,"enabled":true,"host":"httpbin.org","id":"` + service + `","name":"bin","path":"/anything","port":80,"protocol":"http","read_timeout":60000,"retries":5,"write_timeout":60000,"tags":["team-a"]}`},
		{call: "PUT " + of + "/routes/" + route, status: 200, want: []string{`"strip_path":true`, `"service":{"id":"` + service + `"}`},
			body: `{"https_redirect_status_code":426,"id":"` + route + `","name":"r","paths":["/bin"],"path_handling":"v0","preserve_host":false,"protocols":["http","https"],"regex_priority":0,"request_buffering":true,"response_buffering":true,"service":{"id":"` + service + `","name":"bin"},"strip_path":true}`},
		{call: "PUT " + of + "/consumers/" + consumer + "/key-auth/" + key, status: 200, want: []string{`"key":"secret"`, `"consumer":{"id":"` + consumer + `"}`},
			body: `{"consumer":{"id":"` + consumer + `"},"id":"` + key + `","key":"secret"}`},
		{call: "PUT " + of + "/plugins/" + plugin, status: 200, want: []string{`"key_names":["apikey"]`, `"route":null`},
			body: `{"config":{"anonymous":null,"hide_credentials":false,"key_names":["apikey"]},"enabled":true,"id":"` + plugin + `","name":"key-auth","protocols":["grpc","grpcs","http","https"],"service":{"id":"` + service + `"}}`},
	}
	there := map[string][]string{
		"services": {`"id":"` + service + `"`, `"next":null`}, "routes": {`"id":"` + route + `"`}, "consumers": {`"id":"` + consumer + `"`},
		"key-auths": {`"id":"` + key + `"`, `"key":"secret"`}, "plugins": {`"id":"` + plugin + `"`},
	}
	steps := []step{
		{call: "POST R /v2/control-planes", body: `{"name":"quickstart"}`, status: 201, save: "cp"},
		// ping
		{call: "GET R /konnect-api/api/runtime_groups", status: 200, want: []string{`"id":"{cp}"`, `"name":"quickstart"`, `"page":1`, `"pageCount":1`}},
		{call: "GET G /v2/organizations/me", status: 200, want: []string{`"name":"ours"`, `"id":"`}},
	}
	steps = append(steps, lists(nil)...) // dump
	steps = append(steps, schemas...)    // diff
	steps = append(steps, puts...)       // sync
	steps = append(steps, lists(there)...)
	steps = append(steps, step{call: "GET " + of + "/services/" + service + "/graphql-rate-limiting-advanced/costs?size=1000", status: 200, want: empty})
	for _, at := range []string{"plugins/" + plugin, "consumers/" + consumer + "/key-auth/" + key, "routes/" + route, "services/" + service, "consumers/" + consumer} {
		steps = append(steps, step{call: "DELETE " + of + "/" + at, status: 204}) // reset
	}
	steps = append(steps, lists(nil)...)
	newWorld(t).play(t, steps)
}
