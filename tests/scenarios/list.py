"""The scenarios of the acceptance list in our own words, and which of them nothing answers yet, and why."""

from __future__ import annotations

from typing import NamedTuple


class Scenario(NamedTuple):
    """`missing` says what the product lacks to pass it; empty when tests of this folder stand for it."""

    id: str
    statement: str
    missing: str = ""


_NO_DUE_CLOCK = "no clock for offers that fall due later"

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("S01", "an upsell is a higher rung of the same range, in place of the line"),
    Scenario("S02", "better trousers keep size and gender"),
    Scenario("S03", "a newer phone names the features it adds"),
    Scenario("S04", "a basic fare is answered with one that includes more services"),
    Scenario("S05", "the tastier dish needs no grid: the house's ranking is enough"),
    Scenario("S06", "a better room is compared by view, space and equipment"),
    Scenario("S07", "a fare offer carries every fare against every service, and the price step"),
    Scenario("S08", "a cross-sell adds a line and is never a substitute"),
    Scenario("S09", "a laptop brings case, mouse and antivirus: three kinds of product"),
    Scenario("S10", "a complement may come from the same department"),
    Scenario("S11", "a train ticket brings a rental car of its place and date"),
    Scenario("S12", "cross-sell takes a basket from one unit to three"),
    Scenario("S13", "upsell takes a line from 600 to 900, units unchanged"),
    Scenario("S14", "of equally relevant products the one that earns more stands first"),
    Scenario("S15", "every sector and business model is served by the same engine"),
    Scenario("S16", "average basket value is defined and published"),
    Scenario("S17", "cross-sell raises units an order, attributed"),
    Scenario("S18", "upsell raises value a line, attributed"),
    Scenario("S19", "upsell raises margin a unit, reported by kind"),
    Scenario("S20", "cross-sell raises revenue, reported by kind"),
    Scenario("S21", "a physical product is upsold while it is looked at, before it is added"),
    Scenario("S22", "and after it is added, until the order"),
    Scenario("S23", "a physical product is not upsold once it is ordered"),
    Scenario("S24", "a service is upsold before and after the order"),
    Scenario("S25", "who holds Light is later offered Pro, who holds Pro is not", _NO_DUE_CLOCK),
    Scenario("S26", "cross-sell keeps the same times for goods and services"),
    Scenario("S27", "cross-sell happens during the purchase, before paying"),
    Scenario("S28", "a bike brings maintenance products a month later, by e-mail", _NO_DUE_CLOCK),
    Scenario("S29", "the web shop is answered while the shopper looks"),
    Scenario("S30", "a till is answered without a customer and by its deadline, or not at all"),
    Scenario("S31", "later offers name channel, intent and consent for a push service", _NO_DUE_CLOCK),
    Scenario("S32", "what is sold after the purchase raises revenue, not basket value"),
    Scenario("S33", "guard figures: dismissals, abandoned carts, returns, repeat rate", "no holdout report"),
    Scenario("S34", "what is bought one after the other is offered at once"),
    Scenario("S35", "no upsell against what the shopper said: dearest price, largest step"),
    Scenario("S36", "what runs out is offered before it does"),
    Scenario("S37", "too little evidence is answered with silence, and the reason"),
    Scenario("S38", "complements, ranges and learned relations are merged by a stated precedence"),
    Scenario("S39", "without product data the orders alone decide; bad product data is refused"),
    Scenario("S40", "profile and preferences count; anonymous baskets are answered as well"),
    Scenario("S41", "suggestions come out of events alone, without lists made by hand"),
    Scenario("S42", "one answer holds an upsell and cross-sells that fit it"),
    Scenario(
        "S43", "identities of web and till are merged; exports of other systems are read", "no adapters"
    ),
    Scenario("S44", "web and till share one engine and one set of counts"),
)
