curl -X POST "https://global.api.konghq.com/v3/audit-log-destinations" \
     --no-progress-meter --fail-with-body \
     -H "Authorization: Bearer $KONNECT_TOKEN"\
     -H "Authorization: Bearer $KONNECT_TOKEN"\
     -H "Content-Type: application/json" \
     --json '{
       "endpoint": "'$SIEM_ENDPOINT'",
       "authorization": "'$SIEM_TOKEN'",
       "log_format": "cef",
       "name": "Example destination"
     }' >destination.json
export DESTINATION_ID=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' destination.json)
curl -X PATCH "https://us.api.konghq.com/v3/audit-log-webhook" \
     --no-progress-meter --fail-with-body \
     -H "Authorization: Bearer $KONNECT_TOKEN" \
     --json '{
       "audit_log_destination_id": "'$DESTINATION_ID'",
       "enabled": true
     }'
curl -X GET "https://us.api.konghq.com/v2/control-planes" \
     --no-progress-meter --fail-with-body \
     -H "Authorization: Bearer $KONNECT_TOKEN"
