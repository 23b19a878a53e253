//go:build !linux

package gateway_test

func prepareHost() {}
