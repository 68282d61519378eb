// Package scripts_test runs the scripts of this folder as a shell would, against
// a real Redis and a controller's answers. It knows what they print and the
// codes they end with; it knows nothing of how they do it.
package scripts_test
