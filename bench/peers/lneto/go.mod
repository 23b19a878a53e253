module github.com/wsstack/wsstack/bench/peers/lneto

go 1.26.3

replace github.com/wsstack/wsstack => ../../..

require (
	github.com/soypat/lneto v0.3.2
	github.com/wsstack/wsstack v0.0.0-00010101000000-000000000000
)
