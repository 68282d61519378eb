// Package eventstest is what tests of events lean on: a real Redis that can be
// killed and held, a recorder of what a topic carried, and the suite that every
// transport of events/bus passes. It knows Watermill's interfaces, but no
// transport and no service.
package eventstest
