{{ known_customers_as_of(ref('as_of')) }}
