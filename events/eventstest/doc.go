// Package eventstest is what tests of events lean on: a real Redis that can be
// killed and held, a recorder of what a topic carried, and the suite that every
// transport of events/bus passes. It knows neither those transports nor any
// service: what it tests is handed to it.
package eventstest
