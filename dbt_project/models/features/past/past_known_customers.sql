{{ known_customers_as_of(ref('past_as_of')) }}
