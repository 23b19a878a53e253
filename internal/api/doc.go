// Package api is the test that holds the exported API of the module: testdata/api.txt has a line
// for each exported name of the public packages, so that a change of one is seen in review.
package api
