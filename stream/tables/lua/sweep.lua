-- Takes the panes up to a cutoff out of one customer's account. Repeating it changes nothing.
-- KEYS: fences, account, tiers, due, outbox, spend, diary. ARGV: customer id, cutoff pane, tiers (msgpack), cause.
-- Answers {0, messages put in the outbox}.
local id = ARGV[1]
take_panes(KEYS[6], KEYS[2], id, tonumber(ARGV[2]))
take_purchases(KEYS[7], tonumber(ARGV[2]))
local posted = settle_tier(id, KEYS[2], cmsgpack.unpack(ARGV[3]), ARGV[4])
forget_if_empty(id, KEYS[2], KEYS[6], KEYS[7])
return {0, posted}
